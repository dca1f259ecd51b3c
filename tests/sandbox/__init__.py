"""The embedded AWS, held against the table of AWS facts through real boto3 and real HTTP."""
