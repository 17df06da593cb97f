coalesce((SELECT CASE WHEN j.version_table = {key} THEN concat(j.id, j.ctid, j.xmin)
                      ELSE (SELECT concat(k.id, k.ctid, k.xmin) FROM {ledger}.journal k WHERE k.version_table = {key} ORDER BY k.id DESC LIMIT 1) END
            FROM (SELECT l.version_table, l.id, l.ctid, l.xmin FROM {ledger}.journal l ORDER BY l.id DESC LIMIT 1) j), 'none')