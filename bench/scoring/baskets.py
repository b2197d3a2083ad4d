"""The Complete Journey's baskets, one a line: household, basket, microseconds since 1970. Runs where pyarrow is."""

import sys

import pyarrow as arrow
from pyarrow import parquet


def main() -> None:
    """Writes each basket of a file of sold products once, by the instant of its sale, which all its products share."""
    names = ["household_id", "basket_id", "transaction_timestamp"]
    sold = parquet.read_table(sys.argv[1], columns=names).group_by(names).aggregate([]).sort_by(names[2])
    at = sold[names[2]].cast(arrow.timestamp("us")).cast(arrow.int64())
    baskets = zip(sold[names[0]].to_pylist(), sold[names[1]].to_pylist(), at.to_pylist(), strict=True)
    sys.stdout.writelines(f"{household} {basket} {sale}\n" for household, basket, sale in baskets)


if __name__ == "__main__":
    main()
