-- revision: 001
-- revises: base
-- message: An example: put your own revisions here

-- migrate:up
CREATE TABLE notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);

-- migrate:down
DROP TABLE notes;
