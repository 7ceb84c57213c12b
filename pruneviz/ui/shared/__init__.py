"""What the tabs share: words, answers, costs, fields, how a run streams, and the canvas's basis."""
