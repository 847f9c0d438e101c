"""What a code of a problem is. A server makes ``refused`` of one that is none."""

from __future__ import annotations

import ast
import re

CODE = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
#: What is said of one that is none.
NO_CODE = "is no code: lower-case letters, digits and `-` between them, as in `already-voted`, at most 64"
#: What refuses, and takes a code.
REFUSING = {"ensure", "refuse", "Refusal"}


def wrong_codes(source: str) -> list[tuple[int, str]]:
    """The codes that are written out in a source and are none, each with its line."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    refusing = [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", None)) in REFUSING]
    given = [word.value for call in refusing for word in call.keywords if word.arg == "code"]
    codes = [code for code in given if isinstance(code, ast.Constant) and isinstance(code.value, str)]
    return sorted((code.lineno, code.value) for code in codes if not CODE.fullmatch(code.value))
