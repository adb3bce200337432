"""The 32 algorithms of the DX7 in words and arrows."""

from generators.dx7.algorithms import ALGORITHMS, Algorithm
from inversynth.explanation.paragraph import joined


def describe_algorithm(number: int) -> str:
    """Describe an algorithm, 1 to 32, by its groups: `three pairs 2→1, 4→3 and 6→5`."""
    algorithm = ALGORITHMS[number - 1]
    kinds: dict[str, list[str]] = {}
    for carriers in groups(algorithm):
        text = group_text(algorithm, carriers)
        kinds.setdefault(_kind(algorithm, carriers), []).append(text)
    return joined([_counted(kind, texts) for kind, texts in kinds.items()])


def groups(algorithm: Algorithm) -> list[tuple[int, ...]]:
    """Return the carriers that belong together because they share a modulator, from operator 1 up."""
    found: list[tuple[int, ...]] = []
    for carrier in algorithm.carriers:
        if found and set(algorithm.modulators(carrier)) & set(algorithm.modulators(found[-1][-1])):
            found[-1] += (carrier,)
        else:
            found.append((carrier,))
    return found


def group_text(algorithm: Algorithm, carriers: tuple[int, ...]) -> str:
    """Write a group with arrows from modulators to what they modulate: `2→1`, `(4 + 6→5)→3`, `6→(4 + 5)`."""
    above = algorithm.modulators(carriers[0])
    end = str(carriers[0]) if len(carriers) == 1 else f"({' + '.join(map(str, carriers))})"
    if not above:
        return end
    texts = [group_text(algorithm, (k,)) for k in above]
    return f"{texts[0]}→{end}" if len(texts) == 1 else f"({' + '.join(texts)})→{end}"


def _kind(algorithm: Algorithm, carriers: tuple[int, ...]) -> str:
    if len(carriers) > 1:
        return "shared"
    depth, operator = 1, carriers[0]
    while above := algorithm.modulators(operator):
        if len(above) > 1:
            return "branch"
        depth, operator = depth + 1, above[0]
    return {1: "single", 2: "pair", 3: "stack of three"}.get(depth, "stack of four")


def _counted(kind: str, texts: list[str]) -> str:
    count = {1: "a", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}[len(texts)]
    if kind == "single":
        return f"operator {texts[0]} alone" if len(texts) == 1 else f"operators {joined(texts)} side by side"
    noun = {
        "shared": "modulator of several carriers",
        "branch": "carrier with several modulators",
    }.get(kind, kind)
    plural = noun.replace("stack", "stacks").replace("pair", "pairs").replace("modulator of", "modulators of")
    plural = plural.replace("carrier with", "carriers with")
    return f"{count} {noun if len(texts) == 1 else plural} {joined(texts)}"
