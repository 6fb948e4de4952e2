"""Sphinx: the course and the API reference as pages. Built by `make site`."""

import re

import minigrad

project = "AlexNet from scratch"
author = "minigrad and alexnet_scratch authors"
copyright = author
version = release = minigrad.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx.ext.mathjax"]
nb_execution_mode = "off"  # the notebooks are committed with their outputs
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 2

# MathJax comes with the site: docs/site/build.py puts it there.
mathjax_path = "mathjax/MathJax.js"
myst_update_mathjax = False  # that is for newer ones; all formulas of the pages are marked
mathjax2_config = {
    "config": ["TeX-AMS-MML_HTMLorMML-full.js"],
    "tex2jax": {
        "inlineMath": [["\\(", "\\)"]], "displayMath": [["\\[", "\\]"]],
        "processClass": "math|output_area", "ignoreClass": ".*",
    },
    "HTML-CSS": {
        "availableFonts": [], "imageFont": None, "preferredFont": None, "webFont": "STIX-Web",
        "linebreaks": {"automatic": True},
    },
    "messageStyle": "none",
}  # fmt: skip

default_role = "code"  # docstrings put code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False}


def literal(app, what, name, obj, options, lines):
    """An indented block of a docstring is code or a formula, and a named tuple's own words say
    nothing."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()
    for i in range(len(lines) - 1, 1, -1):
        begins = lines[i].startswith("    ") and not lines[i - 1] and lines[i - 2][:1].strip()
        if begins and not lines[i - 2].endswith("::") and not lines[i - 2].startswith(("- ", "1.")):
            lines[i:i] = ["::", ""]


def links_back(app, pagename, templatename, context, doctree):
    """A page of source links back to what is documented of it. viewcode takes all of a file to be
    documented as its first object is, and ours are under the names that a reader imports."""
    module = pagename.removeprefix("_modules/").split("/")
    objects = app.env.get_domain("py").objects

    def link(match):
        for end in range(len(module), 0, -1):
            found = objects.get(".".join([*module[:end], match[2]]))
            if found:
                place = app.builder.get_relative_uri(pagename, found.docname)
                return f"{match[1]}{place}#{found.node_id}"
        return match[0]

    if pagename.startswith("_modules/"):
        block = r'(<div class="viewcode-block" id="([^"]+)">\s*<a class="[^"]+" href=")[^"]+'
        context["body"] = re.sub(block, link, context["body"])


def heading_levels(app, pagename, templatename, context, doctree):
    """The captions of lists of pages are called headings, and of no level."""
    for part in ("body", "furo_navigation_tree"):
        if text := context.get(part):
            role = '<p class="caption" role="heading"'
            context[part] = text.replace(f"{role}>", f'{role} aria-level="2">')


def setup(app):
    app.connect("autodoc-process-docstring", literal)
    app.connect("html-page-context", links_back)
    app.connect("html-page-context", heading_levels, priority=900)  # the theme makes its list first


html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
