// Loads both libraries.
extern char FLAGS_clash[];
int main() { return FLAGS_clash[0] - 1; }
