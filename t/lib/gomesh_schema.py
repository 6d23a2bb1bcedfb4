"""As much of YAML and of JSON Schema as the project's own files use; see 11commandline.t."""
import json
import re

# a scalar ends at a comment, and inside braces at what belongs to them
PLAIN = {False: r"[^\s#](?:(?! #|:(?: |$)).)*", True: r"[^\s#,\[\]{}](?:(?! #|:(?: |$))[^,\[\]{}])*"}
QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'"


def scalar(text):
    if text.startswith('"'):
        return json.loads(text)
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    words = {"": None, "~": None, "null": None, "true": True, "false": False}
    if text in words:
        return words[text]
    if re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?[0-9]+\.[0-9]+", text) else text


class Flow:
    """Reads "{a: [b, c]}" from the start of a text."""

    def __init__(self, text):
        self.text = text

    def take(self, pattern):
        match = re.match(r"\s*(%s)" % pattern, self.text)
        if match:
            self.text = self.text[match.end() :]
        return match and match.group(1)

    def value(self, inside):
        if self.take(r"\{"):
            result = {}
            while not self.take(r"\}"):
                key = scalar(self.take(QUOTED) or self.take(PLAIN[True]))
                assert self.take(":"), "no colon before %r" % self.text
                result[key] = None if re.match(r"\s*[,}]", self.text) else self.value(True)
                assert self.take(",") or re.match(r"\s*\}", self.text), "no comma before %r" % self.text
            return result
        if self.take(r"\["):
            items = []
            while not self.take(r"\]"):
                items.append(self.value(True))
                assert self.take(",") or re.match(r"\s*\]", self.text), "no comma before %r" % self.text
            return items
        return scalar((self.take(QUOTED) or self.take(PLAIN[inside]) or "").strip())


def from_text(text):
    """What stands behind a key or a dash in its line; None if there is nothing but a comment."""
    flow = Flow(text)
    value = flow.value(False)
    assert re.fullmatch(r"\s*(#.*)?", flow.text), "not understood: %r" % flow.text
    return value


def read_block(lines):
    """Takes the block at the head of lines, [(indentation, text)], off the list."""
    indent = lines[0][0]
    is_list = lines[0][1].startswith("- ")
    result = [] if is_list else {}
    while lines and lines[0][0] == indent and lines[0][1].startswith("- ") == is_list:
        text = lines[0][1]
        if is_list:
            inner = text[2:].lstrip()
            lines[0] = (indent + len(text) - len(inner), inner)
            key = re.match(r"(%s|[\w-]+):(?= |$)" % QUOTED, inner)
            result.append(read_block(lines) if key else from_text(lines.pop(0)[1]))
            continue
        key = re.match(r"(%s|[\w-]+):(?= |$)" % QUOTED, text)
        assert key and scalar(key.group(1)) not in result, "no key, or a second one: %r" % text
        value = from_text(text[key.end() :])
        lines.pop(0)
        deeper = lines and (lines[0][0] > indent or (lines[0][0] == indent and lines[0][1].startswith("- ")))
        result[scalar(key.group(1))] = read_block(lines) if value is None and deeper else value
    assert not lines or lines[0][0] < indent or is_list, "odd indentation: %r" % (lines[0],)
    return result


def read_yaml(text):
    lines = [line.rstrip() for line in text.split("\n")]
    blocks = [(len(line) - len(line.lstrip()), line.lstrip()) for line in lines]
    blocks = [(indent, line) for indent, line in blocks if line and not line.startswith("#")]
    result = read_block(blocks) if blocks else None
    assert not blocks, "not understood: %r" % (blocks[0],)
    return result


TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
KEYWORDS = {
    "type", "properties", "patternProperties", "additionalProperties", "required", "items", "enum", "const",
    "minimum", "maximum", "pattern", "anyOf", "oneOf", "not", "$schema", "$id", "title", "description", "default",
    "examples", "minLength",
}  # fmt: skip


def has_type(value, name):
    if name == "null":
        return value is None
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def map_problems(schema, value, where):
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key in schema.get("required", ()):
        if key not in value:
            yield "%s: %s is missing" % (where, key)
    for key, part in value.items():
        below = [known[key]] if key in known else []
        below += [patterns[pattern] for pattern in patterns if re.search(pattern, str(key))]
        if not below and schema.get("additionalProperties") is False:
            yield "%s: %s is unknown" % (where, key)
        for one in below:
            yield from problems(one, part, "%s.%s" % (where, key))


def problems(schema, value, where="$"):
    """Yields what is wrong with a value. A keyword that this does not know is an error, not a success."""
    assert set(schema) <= KEYWORDS, "keywords beyond this checker: %s" % (set(schema) - KEYWORDS)
    types = schema.get("type", [])
    if types and not any(has_type(value, name) for name in ([types] if isinstance(types, str) else types)):
        yield "%s: not %s: %r" % (where, types, value)
        return
    if "enum" in schema and value not in schema["enum"] or "const" in schema and value != schema["const"]:
        yield "%s: not one of the values: %r" % (where, value)
    for name, least in (("anyOf", 1), ("oneOf", 1)):
        fits = [one for one in schema.get(name, ()) if not list(problems(one, value, where))]
        if name in schema and (len(fits) < least or (name == "oneOf" and len(fits) > 1)):
            yield "%s: %d of %s fit: %r" % (where, len(fits), name, value)
    if "not" in schema and not list(problems(schema["not"], value, where)):
        yield "%s: what must not be: %r" % (where, value)
    if has_type(value, "number"):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield "%s: out of range: %r" % (where, value)
    if isinstance(value, str):
        if not re.search(schema.get("pattern", ""), value) or len(value) < schema.get("minLength", 0):
            yield "%s: not the pattern: %r" % (where, value)
    if isinstance(value, dict):
        yield from map_problems(schema, value, where)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from problems(schema["items"], item, "%s[%d]" % (where, number))
