# An index that is out of the range of a constant tuple, in a trace.
for i in range(70):
    try:
        ()[1]
    except IndexError as e:
        if i % 20 == 0:
            show(e)
one = (0,)
for i in range(70):
    try:
        show((7,)[1], one[1])
    except IndexError:
        pass
