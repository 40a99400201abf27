"""Result files of runs: tables, pictures and HTML reports."""
