"""What has to stay fast, told by what depends on no machine: modules, requests, lines of code that are run, bytes."""
