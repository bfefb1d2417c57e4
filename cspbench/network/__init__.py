"""What a network is: layers, their cfg text, their counts, and the torch module that follows from them."""
