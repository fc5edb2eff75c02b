"""The code interpreter: contexts that run code and keep their state, over HTTP.

__main__ is the server, contexts what it serves, *_kernel the programs that run the code; rich and charts are loaded into the Python kernel.
"""
