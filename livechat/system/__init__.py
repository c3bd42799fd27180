"""What the operating system offers: files, threads, the wall clock, the end of the process."""
