"""What the desk did over any period: figures from packed days, exact for every filter.

`facts` says what is counted, `packs` keeps it ready, `period` cuts time in the desk's zone, the others are figures.
"""
