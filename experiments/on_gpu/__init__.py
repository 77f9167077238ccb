"""What is asked of an accelerator in the minutes that one is at hand.

| file | what |
|---|---|
| `__main__.py` | the flags |
| `points.py` | one measurement, and what it is made under |
| `journal.py` | the rows that are done, a JSON line each |
| `work.py` | points in their order, until the time is over |
| `device.py` | what the device can do: products, memory |
| `compared.py` | how far two results are apart |
| `right.py` | stage: the same numbers as a CPU |
| `fast.py` | stage: steps a second at published settings |
| `good.py` | stage: accuracy by published recipes |
"""
