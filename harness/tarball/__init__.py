"""The model tarball: written byte for byte the same each time, and checked before SageMaker's container has to read it.

`export` packs, `verify` judges, `extract` unpacks; nothing here needs MXNet. The rules live in `layout` (names
and kinds of members), `graph` (symbol and shapes), `params` (MXNet's binary container) and `match` (whether these three
agree); `reader`, on top of `unpacked`, is the only one that touches archives.
"""
