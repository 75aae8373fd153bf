"""What a run says about itself: metrics, pictures, a model card and a table for the terminal.

Import from the files: `kseq.report.write`, `.card`, `.pictures`, `.table`.
"""
