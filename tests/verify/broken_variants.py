"""Variants with one deliberate fault each: the source of ``vectorized``, with an epoch, and one piece of it replaced.

A fault names the network on which it shows and the verification stage that has to name it.
"""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from kernels import Network, Variant
from kernels.registry import as_variant
from kernels.variants import vectorized

EPOCH = '''

def epoch(network, theta, X, Y, order, batch_size, learning_rate):
    """New theta (p,)."""
    rate = float(learning_rate)
    for rows in batches(order, batch_size):
        theta = theta - rate * gradient(network, theta, X[rows], Y[rows])
    return theta
'''
IMPORTS = "\n\nfrom kernels.epochs import batches\n\n_KEPT = {}\n"
SOURCE = Path(vectorized.__file__).read_text(encoding="utf-8") + IMPORTS + EPOCH

LINEAR = Network.linear(4, 3)
LOGISTIC = Network.logistic(4, 3)
SOFTMAX = Network.softmax(4, 3)
SQUARE = Network((3, 3), output="identity", loss="squared_error")
SIGMOID = Network((4, 3, 2), "sigmoid", "sigmoid", "squared_error")
TANH = Network((4, 3, 3, 3), "tanh", "softmax", "cross_entropy")  # square layers above
RELU = Network((4, 5, 3), "relu", "identity", "squared_error")

FORWARD_RESULT = "return _forward(network, theta, X)[1][-1]"
GRADIENT_START = "    activations = _forward(network, theta, X)[1]\n    delta"
GRADIENT_RESULT = "return np.concatenate(parts[::-1])"
DELTA = "delta = (activations[-1] - Y) / len(X)"
BIAS_GRADIENT = "delta.sum(axis=0)"
WEIGHT_GRADIENT = "np.dot(activations[layer].T, delta)"
SUMS = "Z = activations[-1] @ W + b"
SHIFTED_EXP = "np.exp(Z - Z.max(axis=1, keepdims=True))"
SIGMOID_LINES = "E = np.exp(-np.abs(Z))\n    return np.where(Z >= 0, 1, E) / (1 + E)"
LOGISTIC_TERMS = "np.maximum(Z, 0) - Y * Z + np.log1p(np.exp(-np.abs(Z)))"
UPDATE = "theta = theta - rate * gradient(network, theta, X[rows], Y[rows])"

CLIPPED_TERMS = "-(Y * np.log(np.clip(A, 1e-15, 1)) + (1 - Y) * np.log(np.clip(1 - A, 1e-15, 1)))"
NAN_SIGMOID = """with np.errstate(all="ignore"):
        E = np.exp(Z)
        return E / (1 + E)"""
MOMENTUM = (
    "_KEPT[0] = gradient(network, theta, X[rows], Y[rows]) + 0.5 * _KEPT.get(0, 0); theta = theta - rate * _KEPT[0]"
)
BIAS_FIRST = "np.concatenate([np.broadcast_to(b, (len(X), 1, len(b))), activations[-1][:, :, None] * W], axis=1)"
ONTO_THE_PARAMETERS = """old = theta
        for row in rows[:, None]:  # as a BLAS may, asked for alpha AB + C
            theta = theta - rate / len(rows) * gradient(network, old, X[row], Y[row])"""
PARAMETERS_IN_THE_MIDST = """part = rate / len(rows)
        steps = [part * gradient(network, theta, X[row], Y[row]) for row in rows[:, None]]
        steps.insert(len(rows) // 2, -theta)
        theta = -np.cumsum(steps, axis=0)[-1]"""
MEMORY = (
    "kept = _KEPT.setdefault(theta.dtype, np.empty_like(theta)); kept[:] = np.concatenate(parts[::-1]); return kept"
)


@dataclass(frozen=True)
class Fault:
    """A piece of the source, what stands there instead, and the stage (a regular expression) that names it."""

    old: str
    new: str
    network: Network
    stage: str


ANY_GRADIENT = "^(gradient|one update) on "

FAULTS = {
    "gradient of the wrong sign": Fault(
        DELTA, DELTA.replace("activations[-1] - Y", "Y - activations[-1]"), TANH, ANY_GRADIENT
    ),
    "update of the wrong sign": Fault(
        UPDATE, UPDATE.replace("theta - rate", "theta + rate"), LINEAR, "^one update on "
    ),
    "gradient without 1/n": Fault(DELTA, "delta = activations[-1] - Y", LOGISTIC, ANY_GRADIENT),
    "loss without 1/n": Fault("terms.sum() / len(X)", "terms.sum()", LOGISTIC, "^loss on "),
    "loss without 1/2": Fault("** 2 / 2", "** 2", LINEAR, "^loss on "),
    "loss averaged over outputs": Fault("terms.sum() / len(X)", "terms.mean()", LOGISTIC, "^loss on "),
    "gradient averaged over outputs": Fault("/ len(X)\n    delta", "/ Y.size\n    delta", SOFTMAX, ANY_GRADIENT),
    "weight transposed going forward": Fault(SUMS, SUMS.replace("W", "W.T"), SQUARE, "^forward on "),
    "weight transposed going back": Fault("layers[layer][0].T", "layers[layer][0]", TANH, ANY_GRADIENT),
    "softmax shifted by the column": Fault(
        SHIFTED_EXP, SHIFTED_EXP.replace("axis=1", "axis=0"), SOFTMAX, "^forward on "
    ),
    "loss shifted by the column": Fault(
        "shifted = Z - Z.max(axis=1", "shifted = Z - Z.max(axis=0", SOFTMAX, "^loss on "
    ),
    "softmax shifted by the whole batch": Fault(SHIFTED_EXP, "np.exp(Z - Z.max())", SOFTMAX, "^forward on saturated"),
    "softmax not shifted": Fault(SHIFTED_EXP, "np.exp(Z)", SOFTMAX, "^forward on saturated .*overflow"),
    "bias forgotten going forward": Fault(SUMS, "Z = activations[-1] @ W", LINEAR, "^forward on "),
    "bias forgotten going back": Fault(BIAS_GRADIENT, "0 * delta[0]", TANH, ANY_GRADIENT),
    "last batch dropped": Fault(
        "in batches(order, batch_size)",
        "in list(batches(order, batch_size))[:-1]",
        LINEAR,
        "^(one update on|epoch on .*returned memory)",
    ),
    "short batch dropped": Fault(
        UPDATE, f"if len(rows) < batch_size: continue\n        {UPDATE}", LINEAR, "^trajectory .*batch size 7$"
    ),
    "short batch averaged over the full size": Fault(
        UPDATE, UPDATE.replace("rate *", "rate * len(rows) / batch_size *"), LINEAR, "^trajectory .*batch size 7$"
    ),
    "updates in place": Fault(
        UPDATE, UPDATE.replace("theta = theta -", "theta -="), SIGMOID, "^epoch on .*changed one of its inputs"
    ),
    "sorts the order in place": Fault(
        "rate = float(learning_rate)",
        "rate = float(learning_rate); order.sort()",
        LINEAR,
        "^epoch on .*changed one of its inputs",
    ),
    "returns memory of an input": Fault(
        FORWARD_RESULT, "return X[:, : network.n_outputs]", LINEAR, "^forward on .*returned memory of one of its inputs"
    ),
    "returns the same memory twice": Fault(GRADIENT_RESULT, MEMORY, LINEAR, "^gradient on .*same memory"),
    "forward in float64": Fault(FORWARD_RESULT, FORWARD_RESULT + ".astype(float)", TANH, "^forward on .*float64"),
    "gradient in float64": Fault(
        "/ len(X)\n    delta", "/ np.float64(len(X))\n    delta", TANH, "^gradient on .*float64"
    ),
    "update in float64": Fault("float(learning_rate)", "np.float64(learning_rate)", TANH, "^epoch on .*float64"),
    "loss is an array": Fault(
        "return float(terms.sum() / len(X))",
        "return terms.sum() / terms.shape[:1]",
        LINEAR,
        "^loss on .*returned ndarray",
    ),
    "forward transposed": Fault(FORWARD_RESULT, FORWARD_RESULT + ".T", LINEAR, r"^forward on .*\(3, 13\)"),
    "NaN for saturated activations": Fault(
        SIGMOID_LINES, NAN_SIGMOID, LOGISTIC, "^forward on saturated activations is not finite"
    ),
    "sigmoid that overflows": Fault(
        SIGMOID_LINES, "return 1 / (1 + np.exp(-Z))", LOGISTIC, "^forward on saturated .*overflow"
    ),
    "loss clipped at 1e-15": Fault(
        LOGISTIC_TERMS, CLIPPED_TERMS, LOGISTIC, "^loss on (saturated activations|targets at the ends)"
    ),
    "raises on one row": Fault(
        GRADIENT_START,
        f'    if len(X) == 1: raise ValueError("too few rows")\n{GRADIENT_START}',
        TANH,
        "^gradient on one row raised ValueError: too few rows",
    ),
    "raises in short batches": Fault(
        UPDATE,
        f'if len(rows) == 3: raise ValueError("too few rows")\n        {UPDATE}',
        LINEAR,
        "^trajectory .*size 7 raised ValueError: too few rows",
    ),
    "not deterministic": Fault(
        GRADIENT_RESULT, GRADIENT_RESULT + " * np.random.default_rng().random()", LINEAR, "^gradient on .*two answers"
    ),
    "momentum kept between calls": Fault(UPDATE, MOMENTUM, LINEAR, "^epoch on .*two answers"),
    "ignores the order": Fault(
        "in batches(order, ", "in batches(np.arange(len(order)), ", LOGISTIC, "^trajectory .*batch size [17]$"
    ),
    "visits random rows": Fault(
        "in batches(order, ",
        "in batches(np.random.default_rng(0).integers(len(order), size=len(order)), ",
        LOGISTIC,
        "^(one update|trajectory) ",
    ),
    "trims the batch size": Fault(
        "batches(order, batch_size)",
        "batches(order, min(batch_size, len(order)))",
        LINEAR,
        "^epoch took a batch size of 14",
    ),
    "takes a batch size of 0": Fault(
        "batches(order, batch_size)", "batches(order, batch_size or 1)", LINEAR, "^epoch took a batch size of 0"
    ),
    "refuses a batch size in its own words": Fault(
        "rate = float(learning_rate)",
        "rate = 1 / batch_size; rate = float(learning_rate)",
        LINEAR,
        "^epoch .*batch size of 0 .*ZeroDivisionError",
    ),
    "relu with a derivative everywhere": Fault("(A > 0)", "(A >= 0)", RELU, ANY_GRADIENT),
    "relu that leaks": Fault(
        "lambda Z: np.maximum(Z, 0)", "lambda Z: np.maximum(Z, Z.dtype.type(0.01) * Z)", RELU, "^forward on "
    ),
    "derivative of tanh without the square": Fault("1 - A**2", "1 - A", TANH, ANY_GRADIENT),
    "derivative of a hidden sigmoid forgotten": Fault(
        "* DERIVATIVES[network.hidden](activations[layer])", "", SIGMOID, ANY_GRADIENT
    ),
    "derivative of the output forgotten": Fault("residual * A * (1 - A)", "residual", SIGMOID, ANY_GRADIENT),
    "empty rows dropped": Fault(
        GRADIENT_START,
        f"    X, Y = X[X.any(axis=1)], Y[X.any(axis=1)]\n{GRADIENT_START}",
        LOGISTIC,
        "^(gradient|one update) on .*an empty row",
    ),
    "bias of empty rows skipped": Fault(
        BIAS_GRADIENT, "delta[X.any(axis=1)].sum(axis=0)", LOGISTIC, "^(gradient|one update) on .*an empty row"
    ),
    "learning rate applied twice": Fault(UPDATE, UPDATE.replace("rate *", "rate * rate *"), LINEAR, "^one update on "),
    "learning rate that decays": Fault(UPDATE, f"rate *= 1.001\n        {UPDATE}", LINEAR, "^(one update|trajectory)"),
    "last weight not updated": Fault(
        UPDATE, f"before = theta[-1]; {UPDATE}; theta[-1] = before", LINEAR, "^one update on "
    ),
    "rows of one epoch repeated": Fault(
        "    return theta\n",
        "    return theta - rate * gradient(network, theta, X[rows], Y[rows])\n",
        LINEAR,
        "^one update on ",
    ),
    "last parameter never written": Fault(
        GRADIENT_RESULT,
        "out = np.full_like(theta, np.nan); out[:-1] = np.concatenate(parts[::-1])[:-1]; return out",
        LINEAR,
        "^gradient on .*not finite",
    ),
}

REORDERED = {
    "sums from the last row to the first": (
        (WEIGHT_GRADIENT, "np.dot(activations[layer].T[:, ::-1], delta[::-1])"),
        (BIAS_GRADIENT, "delta[::-1].sum(axis=0)"),
        ("terms.sum()", "terms[::-1].sum()"),
    ),
    "one row after the other, in running sums": (
        (WEIGHT_GRADIENT, "np.cumsum(activations[layer][:, :, None] * delta[:, None, :], axis=0)[-1]"),
        (BIAS_GRADIENT, "np.cumsum(delta, axis=0)[-1]"),
        ("terms.sum()", "np.cumsum(terms)[-1]"),
        (SUMS, "Z = np.cumsum(activations[-1][:, :, None] * W, axis=1)[:, -1] + b"),
    ),
    "chunks of five rows": (
        (
            WEIGHT_GRADIENT,
            "sum(np.dot(activations[layer][i : i + 5].T, delta[i : i + 5]) for i in range(0, len(X), 5))",
        ),
        (BIAS_GRADIENT, "sum(delta[i : i + 5].sum(axis=0) for i in range(0, len(X), 5))"),
        ("terms.sum()", "sum(terms[i : i + 5].sum() for i in range(0, len(X), 5))"),
    ),
    "bias first, mean last": (
        (SUMS, "Z = np.concatenate([np.ones_like(X[:, :1]), activations[-1]], 1) @ np.concatenate([b[None], W])"),
        (DELTA, "delta = activations[-1] - Y"),
        (GRADIENT_RESULT, "return np.concatenate(parts[::-1]) / len(X)"),
    ),
    "products onto the bias one by one": ((SUMS, f"Z = np.cumsum({BIAS_FIRST}, axis=1)[:, -1]"),),
    "products onto the parameters one by one": ((UPDATE, ONTO_THE_PARAMETERS),),
    "parameters in the midst of their sum": ((UPDATE, PARAMETERS_IN_THE_MIDST),),
    "sigmoid by two branches": (
        (SIGMOID_LINES, "E = np.exp(-np.abs(Z))\n    return np.where(Z >= 0, 1 / (1 + E), E / (1 + E))"),
    ),
    "sigmoid held below overflow": ((SIGMOID_LINES, "return 1 / (1 + np.exp(np.minimum(-Z, 80)))"),),
    "derivative of tanh as a product": (("1 - A**2", "(1 - A) * (1 + A)"),),
    "a BLAS that flags what is no part of the answer": (
        (FORWARD_RESULT, f"np.matmul(np.array([[np.inf]]), np.array([[0.0]])); {FORWARD_RESULT}"),
    ),
}
"""Right variants that take their sums, or write their formulas, in another way."""


def make(name: str, *changes: tuple[str, str]) -> Variant:
    """Return the variant of the changed source; every piece to be replaced must be there once."""
    source = SOURCE
    for old, new in changes:
        assert source.count(old) == 1, f"{name}: the source has {source.count(old)} times {old!r}"
        source = source.replace(old, new)
    module = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return as_variant(name, module)


def broken(name: str) -> Variant:
    """Return the variant with the fault of that name."""
    return make(name, (FAULTS[name].old, FAULTS[name].new))


def nearly_right(relative_error: float, position: int) -> Variant:
    """Return a variant that errs by so much in one value of the gradient."""
    source = f"out = np.concatenate(parts[::-1]); out[{position}] *= 1 + {relative_error}; return out"
    return make(f"off by {relative_error} at {position}", (GRADIENT_RESULT, source))
