"""From what is declared, or was, to a plan. Nothing here can write."""
