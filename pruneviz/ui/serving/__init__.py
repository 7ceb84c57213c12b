"""What stands between the page and the network: who is answered, who has left, what is kept."""
