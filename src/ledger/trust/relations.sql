(ARRAY[{version}, to_regclass({revision}), to_regclass({journal}), to_regclass({catalog}), to_regclass({format})]::oid[])
