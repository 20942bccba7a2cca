"""The import-linter contract *imports_only*: a room that may load named things and nothing else.

import-linter's own *forbidden* contract needs a list of what is not allowed, and such a list lets
the next new dependency in. The pure rooms are told the other way round: what is not named, the
standard library included, is not theirs.
"""

from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression


class ImportsOnly(Contract):
    """`sources` (packages or modules) import each other and `allowed` packages, nothing else."""

    type_name = "imports_only"

    sources = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every direct import of a source module that leads outside, as "importer -> imported"."""
        expressions = cast("set[ModuleExpression]", self.sources)
        sources = {module.name for module in module_expressions_to_modules(graph, expressions)}
        allowed = sources | cast("set[str]", self.allowed)
        strays = sorted(
            f"{importer} -> {imported}"
            for importer in graph.modules
            if _within(importer, sources)
            for imported in graph.find_modules_directly_imported_by(importer)
            if not _within(imported, allowed)
        )
        return ContractCheck(kept=not strays, metadata={"strays": strays})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per import that is not allowed."""
        for stray in check.metadata["strays"]:
            output.print_error(stray)


def _within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
