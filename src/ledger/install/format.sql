SELECT f.format, f.pgmarch FROM {ledger}.format f WHERE f.oldest > {format} ORDER BY f.format DESC LIMIT 1
