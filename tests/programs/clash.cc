// A library with a variable that another library has in another size.
char FLAGS_clash[SIZE] = {1};
