"""What a patch is made of and what of it is heard, in words: `inversynth explain`, and the same text in reports."""
