/* The host's own python.o is LTO bytecode in some distributions; this is all it does. */
extern int Py_BytesMain(int argc, char **argv);

int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }
