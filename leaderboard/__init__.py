"""The public leaderboard: immutable snapshots of run files, and the website that reads them."""
