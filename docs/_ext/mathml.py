"""Formulas as MathML, which browsers draw by themselves: the pages need no script from a server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# docutils sets functions close to their arguments: ``n ln n`` would read "nlnn".
_APPLIED = "<mo>&ApplyFunction;</mo>"
_AFTER = re.compile(rf"{_APPLIED}(?!\s*<mo)")
_BEFORE = re.compile(rf"(</m(?:i|n|sub|sup|frac)>)(?=\s*<mi>\w+</mi>\s*{_APPLIED})")
_THIN = '<mspace width="0.1667em"/>'

logger = logging.getLogger(__name__)


def formula(node: nodes.Node, *, as_block: bool) -> str:
    """Return a formula as MathML; what docutils cannot turn is a warning, and shown as TeX."""
    text = node.astext()
    try:
        made = tex2mathml(text, as_block=as_block)
    except MathError as error:
        logger.warning("cannot be turned into MathML: %s (%s)", text, error, location=node)
        return f"<code>{text}</code>"
    return _BEFORE.sub(rf"\1{_THIN}", _AFTER.sub(_APPLIED + _THIN, made))


def visit_inline(translator: Any, node: nodes.math) -> NoReturn:
    """Write a formula in running text."""
    translator.body.append(formula(node, as_block=False))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> NoReturn:
    """Write a displayed formula."""
    translator.body.append(
        f'<div class="formula notranslate">{formula(node, as_block=True)}</div>\n'
    )
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True}
