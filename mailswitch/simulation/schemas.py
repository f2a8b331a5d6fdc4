"""Plesk's official packet schemas, where somebody has them at hand.

They cannot be shipped with mailswitch. The folder that holds ``agent_input.xsd`` and ``agent_output.xsd`` is named by
the environment variable ``MAILSWITCH_PLESK_XSD``; without it nothing is validated. lxml, which does the work, is a
package of development and imported only here, when it is needed.

The schemas that are around describe an older protocol than panels speak (plesk.md, head). What newer panels are known
to add to their replies is taken out before a reply is validated: `KNOWN_ADDITIONS`, and nothing else.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ENVIRONMENT_VARIABLE", "KNOWN_ADDITIONS", "SchemaSet"]

ENVIRONMENT_VARIABLE = "MAILSWITCH_PLESK_XSD"

KNOWN_ADDITIONS = (
    "mail/get_prefs/result/prefs/webmail-certificate",  # plesk.md section 1.4
    "webspace/get/result/data/gen_info/turn-off-action",  # plesk.md section 1.3
    "site/get/result/data/gen_info/turn-off-action",  # plesk.md section 1.3
)
"""Nodes of replies that newer panels have and the schemas do not, with the section that tells of them."""


class SchemaSet:
    """The input and the output schema, compiled."""

    def __init__(self, folder: Path) -> None:
        """Compile the schemas in ``folder``.

        Raises:
            OSError: a schema cannot be read.
            ValueError: a schema cannot be compiled, or lxml is not installed.
        """
        try:
            self._etree: Any = importlib.import_module("lxml.etree")
        except ImportError as error:
            raise ValueError("validating against Plesk's schemas needs the package lxml") from error
        self._request = self._compiled(folder / "agent_input.xsd")
        self._reply = self._compiled(folder / "agent_output.xsd")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> SchemaSet | None:
        """Return the schemas in the folder that `ENVIRONMENT_VARIABLE` names, None when it names none.

        Raises:
            OSError, ValueError: as the constructor; a folder that is named and wrong is no folder left out.
        """
        folder = (os.environ if environment is None else environment).get(ENVIRONMENT_VARIABLE, "")
        return cls(Path(folder)) if folder else None

    def validate_request(self, packet: bytes) -> list[str]:
        """Return what the input schema finds wrong with a request; nothing when it is valid."""
        return self._problems(self._request, packet, ())

    def validate_reply(self, packet: bytes) -> list[str]:
        """Return what the output schema finds wrong with a reply, `KNOWN_ADDITIONS` aside."""
        return self._problems(self._reply, packet, KNOWN_ADDITIONS)

    def _compiled(self, path: Path) -> Any:
        if not path.is_file():
            raise FileNotFoundError(f"{ENVIRONMENT_VARIABLE} names a folder without {path.name}: {str(path)!r}")
        try:
            return self._etree.XMLSchema(self._etree.parse(str(path), self._parser()))
        except (self._etree.XMLSchemaParseError, self._etree.XMLSyntaxError) as error:
            raise ValueError(f"{str(path)!r} is no usable schema: {error}") from error

    def _parser(self) -> Any:
        return self._etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)

    def _problems(self, schema: Any, packet: bytes, additions: tuple[str, ...]) -> list[str]:
        try:
            root = self._etree.fromstring(packet, self._parser())
        except self._etree.XMLSyntaxError as error:
            return [f"no XML: {error}"]
        for path in additions:
            for node in root.findall(path):
                node.getparent().remove(node)
        if schema.validate(root):
            return []
        return [f"line {entry.line}: {entry.message}" for entry in schema.error_log]
