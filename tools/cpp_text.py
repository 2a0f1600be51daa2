"""Comments and string literals of C++ sources, for the checks of their words."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)|(?P<block>/\*.*?\*/)|(?P<raw>R"(?P<mark>[^ ()\\]{0,16})\(.*?\)(?P=mark)")"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>'(?:\\.|[^'\\\n])*')|(?P<number>\d[\w.']*)|(?P<word>[A-Za-z_]\w*)|(?P<space>\s+)|(?P<other>.)""",
    re.S)


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    line: int


def tokens(source):
    """Yields the tokens without white space. `kind` is the name of a group of TOKEN."""
    line = 1
    for match in TOKEN.finditer(source):
        kind = match.lastgroup if match.lastgroup != "mark" else "raw"
        if kind != "space":
            yield Token(kind, match.group(0), line)
        line += match.group(0).count("\n")


@dataclass(frozen=True)
class Comment:
    line: int
    text: str
    trailing: bool  # behind code


def comments(source):
    """Returns the comments; those of lines that follow each other are one."""
    out, previous = [], None
    for token in tokens(source):
        if token.kind == "comment":
            text = token.text.lstrip("/").removeprefix("<").strip()
            trailing = previous is not None and previous.kind != "comment" and previous.line == token.line
            goes_on = (previous is not None and previous.kind == "comment" and previous.line == token.line - 1 and
                       not (out[-1].trailing and not trailing and indentation(source, token) < 4))
            if goes_on and text:
                out[-1] = Comment(out[-1].line, out[-1].text + " " + text, out[-1].trailing)
            else:
                out.append(Comment(token.line, text, trailing))
        previous = token
    return out


def indentation(source, token):
    """Returns the indentation of the token's line."""
    text = source.split("\n")[token.line - 1]
    return len(text) - len(text.lstrip())


def literal(token):
    """Returns the characters of a string literal, with escapes as they are written."""
    if token.kind == "string":
        return token.text[1:-1]
    return re.match(r'R"([^ ()\\]{0,16})\((.*)\)\1"$', token.text, re.S).group(2)
