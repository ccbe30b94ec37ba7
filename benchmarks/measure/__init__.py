"""What measures: time in turns, memory, the machine and its ceilings, whether results agree, and how they are shown."""
