"""Services of the operating system: files, threads, the wall clock, the end of the process."""
