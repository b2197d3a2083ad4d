"""What the pages show, made of the other services' documents: values in, values out."""
