/* A first process that ends, which no kernel survives. */
int main(void) {
    return 1;
}
