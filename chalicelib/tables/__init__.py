"""What DynamoDB remembers: the records, and every conditional write on them."""
