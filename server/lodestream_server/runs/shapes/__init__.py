"""Runs, events and views as messages of the contract: pure functions, a file per noun; pairs rhyme (`as_job`,
`as_operation`). Servicers call them; nothing here reads or decides."""
