"""`report.html`: a run, study or report as one file that opens without server and network."""
