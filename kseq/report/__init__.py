"""What a run says about itself: metrics, pictures, a model card, a page, a table for the terminal.

Import from the files: `kseq.report.write`, `.card`, `.html`, `.pictures`, `.table`.
"""
