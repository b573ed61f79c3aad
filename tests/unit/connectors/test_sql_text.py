"""Statements' texts: named parameters become placeholders, and nothing else gets through."""

import pytest

from connectors.builtin.sql.text import Dialect, StatementText, compile_text

BOTH: tuple[Dialect, ...] = ("postgresql", "mariadb")


def test_a_name_used_twice_is_one_value_in_postgresql_and_two_in_mariadb() -> None:
    text = "SELECT a FROM b WHERE c = :x AND (d = :x OR e = :y)"

    assert compile_text(text, "postgresql", writes=False) == StatementText(
        "SELECT a FROM b WHERE c = $1 AND (d = $1 OR e = $2)", ("x", "y")
    )
    assert compile_text(text, "mariadb", writes=False) == StatementText(
        "SELECT a FROM b WHERE c = ? AND (d = ? OR e = ?)", ("x", "x", "y")
    )


@pytest.mark.parametrize(
    "kept",
    [
        "SELECT ':x' FROM b",
        'SELECT a AS ":x" FROM b',
        "SELECT 'nó nói '':x'' rồi' FROM b",
        "SELECT a::date, b[1:2] FROM c",
        "SELECT $$ :x ' $$, $q$ :x $q$ FROM b",
        "SELECT '-- ; /* $1' FROM b",
    ],
)
def test_what_only_looks_like_a_parameter_is_kept(kept: str) -> None:
    assert compile_text(kept, "postgresql", writes=False) == StatementText(kept, ())


@pytest.mark.parametrize("kept", ["SELECT 'a\\':x' FROM b", "SELECT `:x` FROM b", "SELECT '?@#;' FROM b"])
def test_mysqls_own_quotes_are_read_as_mysql_does(kept: str) -> None:
    assert compile_text(kept, "mariadb", writes=False) == StatementText(kept, ())


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; DROP TABLE ho_tich",
        "SELECT 1 -- :x",
        "SELECT 1 /* :x */",
        "SELECT 'open",
        'SELECT "open',
        "DROP TABLE ho_tich",
        "SET ROLE admin",
        "COPY ho_tich TO PROGRAM 'sh'",
        "EXPLAIN ANALYZE DELETE FROM ho_tich",
        "COMMIT",
        "",
    ],
)
def test_what_is_no_single_plain_statement_is_refused(text: str, dialect: Dialect) -> None:
    with pytest.raises(ValueError, match=r"begins with|not taken"):
        compile_text(text, dialect, writes=False)


@pytest.mark.parametrize("text", ["SELECT $1", "SELECT E'a\\' :x'", "SELECT U&'\\0041'"])
def test_placeholders_and_escapes_of_postgresqls_own_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not taken"):
        compile_text(text, "postgresql", writes=False)


@pytest.mark.parametrize("text", ["SELECT ?", "SELECT @lgsp_0", "SELECT 1 # :x", "SELECT `open"])
def test_placeholders_variables_and_comments_of_mysqls_own_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not taken"):
        compile_text(text, "mysql", writes=False)


@pytest.mark.parametrize("dialect", BOTH)
def test_only_a_statement_that_writes_may_begin_like_one(dialect: Dialect) -> None:
    text = "DELETE FROM ho_tich WHERE a = :a;"

    assert compile_text(text, dialect, writes=True).names == ("a",)
    with pytest.raises(ValueError, match="begins with"):
        compile_text(text, dialect, writes=False)
