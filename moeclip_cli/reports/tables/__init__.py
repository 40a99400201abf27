"""Results tables in CSV, JSON Lines and Parquet."""
