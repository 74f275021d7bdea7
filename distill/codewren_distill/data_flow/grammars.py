"""What the syntax trees of seven languages call the things that data flow is about.

The grammars agree so far that one set of tables serves all: a name that two of them use means
the same in both.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from codewren_runtime.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    import tree_sitter

__all__ = ["LANGUAGES", "grammar_of"]

# Package and entry of each grammar.
LANGUAGES = {
    "c": ("tree_sitter_c", "language"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "php": ("tree_sitter_php", "language_php_only"),
    "python": ("tree_sitter_python", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
}

VARIABLES = frozenset({
    "identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern",
    "variable_name", "instance_variable", "class_variable", "global_variable",
})  # fmt: skip
STRINGS = frozenset({
    "string", "string_literal", "char_literal", "character_literal", "template_string",
    "interpreted_string_literal", "raw_string_literal", "rune_literal", "encapsed_string",
})  # fmt: skip
INTERPOLATIONS = frozenset({"interpolation", "template_substitution", "variable_name"})

# Fields of a node that give a value to a variable: the variable's and the value's.
DEFINES = {
    **dict.fromkeys(
        (
            "assignment", "assignment_expression", "augmented_assignment",
            "augmented_assignment_expression", "operator_assignment", "short_var_declaration",
            "assignment_statement", "assignment_pattern", "for_in_clause", "range_clause",
        ),
        ("left", "right"),
    ),
    **dict.fromkeys(
        (
            "variable_declarator", "var_spec", "const_spec", "named_expression",
            "default_parameter", "typed_default_parameter", "optional_parameter",
            "keyword_parameter", "static_variable_declaration",
        ),
        ("name", "value"),
    ),
    "init_declarator": ("declarator", "value"),
    "simple_parameter": ("name", "default_value"),
    "as_pattern": ("alias", ""),
}  # fmt: skip
# Loops over a collection: the variable's field and the collection's.
EACH = {
    "enhanced_for_statement": ("name", "value"),
    "for": ("pattern", "value"),
    "for_in_statement": ("left", "right"),
    "for_statement": ("left", "right"),
}
UPDATES = frozenset({"update_expression", "inc_statement", "dec_statement"})
LOOPS = frozenset({*EACH, "while_statement", "do_statement", "foreach_statement", "while", "until"})
IFS = frozenset({"if_statement", "if", "elsif", "unless", "if_modifier", "unless_modifier"})
BRANCHES = frozenset({"consequence", "alternative", "body"})
# Parts of a statement that may not run: a case, a handler.
OPTIONAL = frozenset({
    "case_statement", "default_statement", "switch_case", "switch_default", "case_clause",
    "switch_block_statement_group", "switch_rule", "expression_case", "default_case", "type_case",
    "communication_case", "when", "rescue", "except_clause", "catch_clause",
})  # fmt: skip
COMPREHENSIONS = frozenset({
    "list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression",
})  # fmt: skip
# Fields and nodes whose variables begin anew.
FRESH = frozenset({
    ("declaration", "declarator"), ("arrow_function", "parameter"),
    ("catch_formal_parameter", "name"), ("catch_clause", "parameter"),
})  # fmt: skip
PARAMETERS = frozenset({
    "parameters", "formal_parameters", "parameter_list", "method_parameters", "block_parameters",
    "lambda_parameters",
})  # fmt: skip
# A part of a variable: its base is the first child.
PARTS = frozenset({
    "subscript_expression", "subscript", "array_access", "index_expression", "element_reference",
    "field_expression", "attribute", "member_expression", "field_access", "selector_expression",
    "member_access_expression", "pointer_expression", "unary_expression",
})  # fmt: skip
SEQUENCES = frozenset({
    "pattern_list", "expression_list", "tuple_pattern", "tuple", "left_assignment_list",
    "right_assignment_list",
})  # fmt: skip
# Identifiers that name no variable, and those that do only if they are known as one.
NAMES = frozenset({
    ("attribute", "attribute"), ("call", "method"), ("class_declaration", "name"),
    ("class_definition", "name"), ("constructor_declaration", "name"), ("field_access", "field"),
    ("function_declaration", "name"), ("function_declarator", "declarator"),
    ("function_definition", "name"), ("function_expression", "name"), ("keyword_argument", "name"),
    ("generator_function_declaration", "name"), ("method", "name"), ("method_declaration", "name"),
    ("method_invocation", "name"), ("singleton_method", "name"),
})  # fmt: skip
CALLEES = frozenset({("call", "function"), ("call_expression", "function")})
INITIALISERS = frozenset({"initializer", "init", "initialize"})
STEPS = frozenset({"update", "increment"})


@cache
def grammar_of(language: str) -> tree_sitter.Language:
    """The compiled grammar; OptionError for another language, MissingExtraError without it."""
    if language not in LANGUAGES:
        raise OptionError(f"data flow is of {', '.join(LANGUAGES)}, not of {language!r}")
    name, entry = LANGUAGES[language]
    try:
        import tree_sitter

        module = import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError("graph", error.name or "tree-sitter") from error
    return tree_sitter.Language(getattr(module, entry)())
