"""Finding Plesk's official schemas; what they say is tested where they are at hand (marker ``schemas``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.simulation.schemas import ENVIRONMENT_VARIABLE, SchemaSet


@pytest.mark.parametrize("environment", [{}, {ENVIRONMENT_VARIABLE: ""}])
def test_without_a_folder_there_are_no_schemas(environment: dict[str, str]) -> None:
    assert SchemaSet.from_environment(environment) is None


def test_a_folder_without_schemas_is_no_folder_left_out(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"agent_input\.xsd"):
        SchemaSet.from_environment({ENVIRONMENT_VARIABLE: str(tmp_path)})


def test_a_broken_schema_is_said(tmp_path: Path) -> None:
    (tmp_path / "agent_input.xsd").write_text("<xs:schema")

    with pytest.raises(ValueError, match="no usable schema"):
        SchemaSet(tmp_path)


def test_schemas_of_one_s_own_judge_requests_and_replies(tmp_path: Path) -> None:
    for name in ("agent_input.xsd", "agent_output.xsd"):
        (tmp_path / name).write_text(
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="packet"/></xs:schema>'
        )
    schemas = SchemaSet(tmp_path)

    assert (schemas.validate_request(b"<packet/>"), schemas.validate_reply(b"<packet/>")) == ([], [])
    assert schemas.validate_request(b"<other/>") != []
    assert schemas.validate_reply(b"<packet>")[0].startswith("no XML")
