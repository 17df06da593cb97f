SELECT CASE WHEN word.text IN ('$user', '"$user"') THEN current_user::text
            WHEN left(word.text, 1) = '"' THEN replace(substr(word.text, 2, length(word.text) - 2), '""', '"')
            ELSE lower(word.text) END,
       word.position
  FROM (SELECT btrim(entry.text) AS text, entry.position
          FROM unnest(string_to_array(current_setting('pgmarch.search_path'), ',')) WITH ORDINALITY AS entry (text, position)) AS word
