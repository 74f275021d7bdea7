"""Packages for embedders, made from a bundle: a wheel, an npm package, a static web page.

One file per kind. Each takes a checked bundle, a name and an empty folder, and fills the folder;
the same input gives the same bytes. The texts of the packages lie in `templates/`.
"""

from __future__ import annotations

from codewren_export.packages.npm import write_npm
from codewren_export.packages.web import write_web
from codewren_export.packages.wheel import write_wheel

__all__ = ["write_npm", "write_web", "write_wheel"]
