"""The submissions desk: what is sent to the board waits here until it was checked and a moderator has decided."""
