"""Plants slips in a copy of the project, one at a time, and tells which of them no test notices."""
