"""Tables of text: a header and rows, every cell with its line."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kseq.errors import DataError
from kseq.registry import suggest

MISSING = ("", "NA", "NaN", "nan", "null", "?")
DELIMITERS = (",", ";", "\t", "|", " ")


class Table:
    r"""A table read from delimited text.

    Args:
        name: The file's name, for messages.
        text: Its text. Quotes and line ends are those of the csv module.
        delimiter: What stands between two cells; None takes the comma, semicolon or tab that
            divides the header into the most cells.
        missing: What stands for a missing value; an empty cell always does.
        header: The names of the columns, where the first line is a row already.
        quotes: Whether quotation marks around a cell are taken off; else they are text.
        verbatim: The column whose cells keep the blanks around them.

    Raises:
        DataError: If the header or a row does not hold; the message names the line.

    Example:
        >>> table = Table("x.csv", "time,load\n1,0.5\n2,NA\n")
        >>> table.numbers("load")
        array([0.5, nan])
    """

    def __init__(
        self,
        name: str,
        text: str,
        *,
        delimiter: str | None = None,
        missing: Sequence[str] | None = None,
        header: Sequence[str] | None = None,
        quotes: bool = True,
        verbatim: str | None = None,
    ) -> None:
        self.name = name
        self.missing = frozenset(MISSING if missing is None else missing) | {""}
        self.header: list[str] = list(header or ())
        self.rows: list[list[str]] = []
        self.lines: list[int] = []
        self._numbers: dict[str, NDArray[np.float64]] = {}
        self._named = "data.header" if header else "the header"
        self._verbatim = verbatim
        self._read(text, delimiter or _sniff(text), quotes)
        if not header:
            self._check_header()

    def __len__(self) -> int:
        return len(self.rows)

    def index(self, column: str, parameter: str) -> int:
        """The place of a column.

        Raises:
            DataError: If there is none of that name, or `parameter` asks for it in vain.
        """
        if column not in self.header:
            named = [name for name in self.header if name]
            raise DataError(
                f"{self.name}: no column '{column}' (asked for by data.{parameter})"
                f"{suggest(column, named)}; there are: {', '.join(named)}"
            )
        return self.header.index(column)

    def text(self, column: str, parameter: str = "columns") -> list[str]:
        """A column's cells as they stand."""
        place = self.index(column, parameter)
        return [row[place] for row in self.rows]

    def present(self, column: str, parameter: str) -> list[str]:
        """A column's cells that are not missing."""
        return [cell for cell in self.text(column, parameter) if cell not in self.missing]

    def filled(self, column: str, parameter: str) -> list[str]:
        """A column's cells, none of which may be missing.

        Raises:
            DataError: If one is; the message names the line.
        """
        cells = self.text(column, parameter)
        for line, cell in zip(self.lines, cells, strict=True):
            if cell in self.missing:
                raise DataError(
                    f"{self.name}, line {line}: column '{column}' (data.{parameter}) is missing "
                    f"({cell!r}); fill it in, drop the row, or change data.missing"
                )
        return cells

    def numbers(self, column: str, parameter: str = "columns") -> NDArray[np.float64]:
        """A column as numbers `(rows,)`, NaN where missing.

        Raises:
            DataError: If a cell is neither a number nor missing; the message names the line.
        """
        if column not in self._numbers:
            place = self.index(column, parameter)
            values = np.empty(len(self.rows))
            for i, row in enumerate(self.rows):
                values[i] = self.number(row[place], i, column)
            self._numbers[column] = values
        return self._numbers[column]

    def number(self, cell: str, row: int, column: str) -> float:
        """One cell of a row as a number, NaN where missing.

        Raises:
            DataError: If it is neither.
        """
        if cell in self.missing:
            return math.nan
        value = parse_number(cell)
        if value is None:
            hint = ""
            if parse_number(cell.replace(",", ".")) is not None:
                hint = "; write a decimal point"
            raise DataError(
                f"{self.name}, line {self.lines[row]}, column '{column}': "
                f"expected a finite number, got {cell!r}{hint}"
            )
        return value

    def numeric(self, besides: Sequence[str | None]) -> list[str]:
        """The columns that hold numbers. Text columns and unnamed ones are left out.

        Args:
            besides: Columns that are not asked for.

        Raises:
            DataError: If a column holds both numbers and text, or if none holds numbers.
        """
        found = []
        for place, column in enumerate(self.header):
            if not column or column in besides:
                continue
            cells = [row[place] for row in self.rows if row[place] not in self.missing]
            numbers = sum(parse_number(cell) is not None for cell in cells)
            if numbers == 0:
                continue
            try:
                self.numbers(column)
            except DataError as error:
                # Leaving the column out would hide a misspelt number from its owner.
                raise DataError(
                    f"{error}; the column holds {numbers} numbers. Mend it, add the value to "
                    "data.missing, or name the wanted columns in data.columns"
                ) from error
            found.append(column)
        if not found:
            raise DataError(f"{self.name}: no column of numbers among: {', '.join(self.header)}")
        return found

    def _read(self, text: str, delimiter: str, quotes: bool) -> None:
        # newline="" leaves line ends in quoted cells as they are; a lone CR ends a line too.
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
            strict=True,
        )
        line = 1
        try:
            for cells in reader:
                self._add(cells, line)
                line = reader.line_num + 1
        except csv.Error as error:
            # An open quotation mark takes in all that follows, up to the largest cell allowed.
            hint = "; where quotation marks are text, set data.quotes to false" if quotes else ""
            raise DataError(f"{self.name}, line {line}: {error}{hint}") from error
        # In a table of one column an empty line is a missing value, but not after the last row.
        while self.rows and self.rows[-1] == [""]:
            del self.rows[-1], self.lines[-1]
        if not self.rows:
            raise DataError(f"{self.name}: a header and no rows")

    def _add(self, cells: list[str], line: int) -> None:
        if not self.header:
            self.header = [cell.strip() for cell in cells]
            return
        if not cells:
            if len(self.header) > 1:
                return
            cells = [""]
        if len(cells) != len(self.header):
            raise DataError(
                f"{self.name}, line {line}: expected {len(self.header)} cells as in {self._named}, "
                f"got {len(cells)}"
            )
        named = zip(self.header, cells, strict=True)
        self.rows.append([cell if n == self._verbatim else cell.strip() for n, cell in named])
        self.lines.append(line)

    def _check_header(self) -> None:
        named = [name for name in self.header if name]
        for name in named:
            if named.count(name) > 1:
                raise DataError(
                    f"{self.name}, line 1: '{name}' stands twice in the header; "
                    "the first line has to name the columns"
                )
        values = [parse_number(name) for name in named]
        if named and None not in values and not _counts_up(values):
            raise DataError(
                f"{self.name}, line 1: expected the names of the columns, got numbers "
                f"({', '.join(named[:4])}); add a header"
            )


def parse_number(cell: str) -> float | None:
    """A finite number, or None.

    Example:
        >>> parse_number("1e3"), parse_number("inf"), parse_number("1_000")
        (1000.0, None, None)
    """
    try:
        value = float(cell)
    except ValueError:
        return None
    # Python reads 1_000 as a number; in a data file it is rather a name.
    return value if math.isfinite(value) and "_" not in cell else None


def _counts_up(values: list[float | None]) -> bool:
    """Whether a header of numbers numbers the columns: 0, 1, 2."""
    first = values[0]
    return first in (0, 1) and values == [first + i for i in range(len(values))]


def _sniff(text: str) -> str:
    header = next((line for line in io.StringIO(text, newline="") if line.strip()), "")

    def cells(delimiter: str) -> int:
        return len(next(csv.reader([header], delimiter=delimiter), []))

    return max(",;\t", key=cells)
