# options: -I -S
print(1)
