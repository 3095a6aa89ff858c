"""The model tarball: written byte for byte the same each time, and judged before SageMaker's container has to read it.

`export` packs and `extract` unpacks; `verify` judges, by the text of a file alone or by loading it as well. Of the
text: `reader`, on top of `unpacked` and `gunzip`, walks through the archive; `examination` holds each member against
the rules in `layout`, `graph` (with `operators`), `signature`, `params`, `code` and `requirements`, and what they say
together against those in `match` (with `shapes`) and `types`. None of this needs MXNet. `loading` does, in a process of
its own. `facts` and `telling` are for whoever wants to see what is in a file.
"""
