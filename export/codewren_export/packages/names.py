"""Names, versions and licences that every package index takes."""

from __future__ import annotations

import keyword
import re
import sys

from codewren_runtime.errors import OptionError

__all__ = [
    "check_licence",
    "check_npm_name",
    "check_python_name",
    "check_title",
    "check_version",
]

# What a wheel brings, needs or is installed by: a package of that name would hide or replace it.
TAKEN = {"codewren", "codewren_runtime", "numpy", "onnxruntime", "pip", "tokenizers"}
NPM_LONGEST = 214
TITLE_LONGEST = 100

# PEP 508 and a Python identifier, both; indexes compare names without regard to case.
PYTHON = re.compile(r"[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?")
# The rules of validate-npm-package-name for new packages; Node takes its own modules first.
NPM = re.compile(r"(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*")
NPM_REFUSED = {"node_modules", "favicon.ico"}
NODE = {
    "assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto",
    "dgram", "diagnostics_channel", "dns", "domain", "events", "fs", "http", "http2", "https",
    "inspector", "module", "net", "os", "path", "perf_hooks", "process", "punycode", "querystring",
    "readline", "repl", "stream", "string_decoder", "sys", "timers", "tls", "trace_events", "tty",
    "url", "util", "v8", "vm", "wasi", "worker_threads", "zlib",
}  # fmt: skip
# Both PEP 440 and semver read it alike.
VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


def check_python_name(name: str) -> str:
    """`name` itself; OptionError unless it can be imported, installed and hides nothing."""
    if not PYTHON.fullmatch(name):
        raise OptionError(
            f"--name {name!r}: a Python package is named by ASCII letters, digits and inner "
            "underscores, a letter first; try my_model"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise OptionError(f"--name {name!r}: is a keyword of Python; choose another name")
    if name.lower() in TAKEN | {module.lower() for module in sys.stdlib_module_names}:
        raise OptionError(f"--name {name!r}: would hide the module of that name; choose another")
    return name


def check_npm_name(name: str) -> str:
    """`name` itself; OptionError unless npm would publish it."""
    if not NPM.fullmatch(name) or name in NPM_REFUSED or len(name) > NPM_LONGEST:
        raise OptionError(
            f"--name {name!r}: an npm package is named by lower-case letters, digits, hyphens, "
            "dots and underscores, with @scope/ in front if wanted; try my-model"
        )
    if name in NODE:
        raise OptionError(f"--name {name!r}: is a module of Node's own; choose another name")
    return name


def check_title(name: str) -> str:
    """`name` itself; OptionError unless it is one line that a person can read."""
    if not name.strip() or not name.isprintable() or len(name) > TITLE_LONGEST:
        raise OptionError(
            f"--name {name[:TITLE_LONGEST]!r}: the page's title is one line of 1 to "
            f"{TITLE_LONGEST} characters"
        )
    return name


def check_version(version: str) -> str:
    """`version` itself; OptionError unless it is three numbers."""
    if not VERSION.fullmatch(version):
        raise OptionError(f"--package-version {version!r}: give three numbers, such as 1.0.0")
    return version


def check_licence(licence: str | None) -> str | None:
    """`licence` in its canonical form; OptionError unless it is None or an SPDX expression."""
    if licence is None:
        return None
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression as error:
        raise OptionError(
            f"--license {licence!r}: give an SPDX expression, such as MIT or Apache-2.0"
        ) from error
